/** Takes the address that was asked for, and says what it became. */
import { chmodSync, rmSync, statSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { LaikaError } from '../checkpoint/errors.ts';

/** An address and port (0: any free one), or the path of a Unix socket. */
export type ListenAt =
  | { readonly host: string; readonly port: number }
  | { readonly socket: string };

/** Where a server was put. */
export interface Listening {
  /** `ws://HOST:PORT`, or `ws+unix:PATH:`; a path on the server follows. */
  readonly url: string;
  /** Null for a Unix socket. */
  readonly port: number | null;
}

/** @throws LaikaError `connection-failed` when the address cannot be had. */
export async function listen(server: Server, at: ListenAt): Promise<Listening> {
  if ('socket' in at) await removeStaleSocket(at.socket);
  const where = 'socket' in at ? at.socket : `${at.host}:${at.port}`;
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => {
      const next = 'give another address with --listen; port 0 takes a free one';
      const what = 'the address cannot be listened on';
      const code = 'connection-failed';
      reject(new LaikaError({ code, what, where, why: error.message, next }, { cause: error }));
    };
    server.once('error', fail);
    server.listen('socket' in at ? { path: at.socket } : at, () => {
      server.off('error', fail);
      resolve();
    });
  });
  if ('socket' in at) {
    chmodSync(at.socket, 0o600);
    return { url: `ws+unix:${at.socket}:`, port: null };
  }
  const { address, family, port } = server.address() as AddressInfo;
  const name = family === 'IPv6' ? `[${address}]` : address;
  return { url: `ws://${name}:${port}`, port };
}

/** A socket that nobody answers was left behind by a killed process; one that answers stays. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!statSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const isAnswered = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => resolve(true));
    probe.on('error', () => resolve(false)).on('connect', () => probe.destroy());
  });
  if (!isAnswered) rmSync(path, { force: true });
}
