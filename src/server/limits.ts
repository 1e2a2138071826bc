/**
 * What one server gives at most. Each is an option, so that tests and odd places can set their own.
 */
export interface StreamLimits {
  readonly clients: number;
  /**
   * Clients of one address that is not this machine: on loopback the address tells nobody apart.
   */
  readonly clientsPerAddress: number;
  /** Queued bytes at which sending pauses, and below which it goes on. */
  readonly highWaterBytes: number;
  readonly lowWaterBytes: number;
  /** Events recorded since it subscribed that a client may be behind. */
  readonly lagEventsMax: number;
  /** How long a client may leave its queue full. */
  readonly stalledMsMax: number;
  /** Between telling a slow client and cutting it off. */
  readonly terminateMs: number;
  readonly heartbeatMs: number;
  readonly pingMs: number;
  readonly messagesPerMinute: number;
}

/** Room for a dashboard on every desk, and no room for a client that does not read. */
export const defaultLimits: StreamLimits = {
  clients: 64,
  clientsPerAddress: 8,
  highWaterBytes: 1024 * 1024,
  lowWaterBytes: 256 * 1024,
  lagEventsMax: 10_000,
  stalledMsMax: 30_000,
  terminateMs: 2000,
  heartbeatMs: 15_000,
  pingMs: 20_000,
  messagesPerMinute: 120,
};
