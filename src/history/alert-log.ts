/** Alerts in the database, each as it is now. */
import { encodeJson } from '../records/numbers.ts';
import type { AlertRecord } from './alert-record.ts';
import type { Driver } from './driver.ts';

/** Stores it in place of what it was. */
export function saveAlert(driver: Driver, alert: AlertRecord): void {
  driver.run(
    'INSERT OR REPLACE INTO alerts (id, run, active, alert) VALUES (?,?,?,?)',
    alert.id,
    alert.run,
    alert.state === 'resolved' ? 0 : 1,
    encodeJson(alert),
  );
}

/** Null: there never was one of this id. */
export function findAlert(driver: Driver, id: string): AlertRecord | null {
  const [row] = driver.all('SELECT alert FROM alerts WHERE id = ?', id);
  return row ? (JSON.parse(String(row.alert)) as AlertRecord) : null;
}

/** Firing and acknowledged ones, in the order of their ids. */
export function activeAlerts(driver: Driver): AlertRecord[] {
  const rows = driver.all('SELECT alert FROM alerts WHERE active = 1 ORDER BY id');
  return rows.map((row) => JSON.parse(String(row.alert)) as AlertRecord);
}
