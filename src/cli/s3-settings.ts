/** How object stores are reached, as the environment says it: the names that AWS's own tools take. */
import type { S3Settings } from '../sources/s3.ts';

/** Empty variables are as good as none. */
export function s3SettingsFrom(env: Readonly<Record<string, string | undefined>>): S3Settings {
  const found = {
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    sessionToken: env.AWS_SESSION_TOKEN,
    region: env.AWS_REGION || env.AWS_DEFAULT_REGION,
    endpoint: env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value));
}
