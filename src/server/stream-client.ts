/** One WebSocket client: what it says, what it is told, and when it must go. */
import { acknowledge } from '../alerts/alert.ts';
import { type Clock, timestamp } from '../history/clock.ts';
import type { History } from '../history/history.ts';
import {
  type ClientMessage,
  type MessageFault,
  parseMessage,
  sinceFault,
} from './client-message.ts';
import { cursorText, type Gap, startOf } from './cursor.ts';
import type { EventText } from './event-text.ts';
import type { StreamLimits } from './limits.ts';
import { Pump } from './pump.ts';

/** The part of a `ws` socket that is used here. */
export interface Socket {
  readonly bufferedAmount: number;
  send(text: string, sent?: (error?: Error) => void): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

/** What a client is served with. */
export interface StreamClientOptions {
  readonly socket: Socket;
  readonly history: History;
  readonly clock: Clock;
  readonly limits: StreamLimits;
  readonly events: EventText;
  /** Control messages are spoken; else bare CloudEvents only. */
  readonly isLaika: boolean;
  /** Why a client was cut off, and faults of ours. */
  readonly log: (line: string) => void;
}

/** One connected client. */
export class StreamClient {
  readonly #options: StreamClientOptions;
  readonly #pump: Pump;
  #isAlive = true;
  #isGoing = false;
  #messages = 0;
  #messagesSinceMs = 0;

  constructor(options: StreamClientOptions) {
    this.#options = options;
    const { socket, history, limits, events, clock, isLaika } = options;
    this.#pump = new Pump({
      history,
      limits,
      now: () => clock.elapsed(),
      render: (event) =>
        isLaika ? `{"type":"event","event":${events.of(event)}}` : events.of(event),
      onGap: (gap) => this.#tellGap(gap),
      onFault: (error) => this.#fault(error),
      sink: {
        bufferedBytes: () => socket.bufferedAmount,
        send: (text, sent) => socket.send(text, () => sent()),
      },
    });
  }

  /** The first message; a client of bare CloudEvents starts at `since` at once instead. */
  greet(
    hello: { readonly version: string; readonly runs: readonly string[] },
    since: string,
  ): void {
    const { history, limits, isLaika } = this.#options;
    if (!isLaika) {
      this.#subscribe({ type: 'subscribe', since, filter: {} });
      return;
    }
    this.#tell({
      type: 'hello',
      epoch: history.epoch,
      oldest: String(history.oldestSeq),
      head: String(history.headSeq),
      version: hello.version,
      heartbeatSeconds: limits.heartbeatMs / 1000,
      runs: hello.runs,
    });
  }

  onMessage(data: string, isBinary: boolean): void {
    if (this.#isGoing) return;
    const message = isBinary ? null : parseMessage(data);
    if (isBinary) this.close(1003, 'text frames only');
    else if (this.#isChatty()) this.close(1008, 'too many messages');
    else if (message === null) this.close(1008, 'a message is a JSON object');
    else this.#answer(message);
  }

  onPong(): void {
    this.#isAlive = true;
  }

  /** Something was recorded. */
  wake(): void {
    this.#pump.wake();
  }

  /** Cuts off a client that cannot keep up. Nothing is lost: it resumes from its cursor. */
  checkPace(): void {
    this.#pump.wake();
    const why = this.#pump.slowness();
    if (why === null || this.#isGoing) return;
    this.#options.log(`slow client cut off: ${why}`);
    this.close(4008, 'slow consumer');
  }

  ping(): void {
    if (!this.#isAlive) this.#options.socket.terminate();
    else this.#options.socket.ping();
    this.#isAlive = false;
  }

  /** `cursor` is how far this client was served, so that a filtered one does not grow old. */
  heartbeat(): void {
    const { history, clock, isLaika } = this.#options;
    if (!isLaika || this.#pump.isFull || this.#isGoing) return;
    const seq = this.#pump.isStarted ? this.#pump.seq : null;
    this.#tell({
      type: 'heartbeat',
      head: String(history.headSeq),
      time: timestamp(clock),
      ...(seq === null ? {} : { cursor: cursorText(history, seq) }),
    });
  }

  close(code: number, reason: string): void {
    const { socket, limits } = this.#options;
    this.#isGoing = true;
    this.#pump.stop();
    socket.close(code, reason);
    // `close` alone would keep the queue until its own timer ends.
    setTimeout(() => socket.terminate(), limits.terminateMs).unref();
  }

  terminate(): void {
    this.#options.socket.terminate();
  }

  /** The socket is gone. */
  forget(): void {
    this.#isGoing = true;
    this.#pump.stop();
  }

  #answer(message: ClientMessage | MessageFault): void {
    try {
      if (!('type' in message)) this.#tell({ type: 'error', ...message });
      else if (message.type === 'subscribe') this.#subscribe(message);
      else if (message.type === 'acknowledge') this.#acknowledge(message.alert, message.by);
      else this.heartbeat();
    } catch (error) {
      this.#fault(error);
    }
  }

  #subscribe({ since, filter }: Extract<ClientMessage, { type: 'subscribe' }>): void {
    const start = startOf(this.#options.history, since);
    if (!start) this.#tell({ type: 'error', ...sinceFault });
    if (start?.gap) this.#tellGap(start.gap);
    if (start && !this.#isGoing) this.#pump.start(start.seq, filter);
  }

  #acknowledge(id: string, by: string): void {
    const { history, clock } = this.#options;
    const alert = history.alert(id);
    const acknowledged = alert && acknowledge(alert, by, timestamp(clock));
    if (!acknowledged) {
      const detail = 'no alert of this id is active';
      this.#tell({ type: 'error', code: 'alert-unknown', detail });
      return;
    }
    const { checkpoint, run, severity } = acknowledged;
    const type = 'dev.laika.alert.acknowledged.v1';
    const data = { checkpoint, alert: acknowledged, by };
    const event = { type, run, subject: checkpoint.path, severity, data } as const;
    history.record({ alert: acknowledged, events: [event] });
  }

  #tellGap(gap: Gap): void {
    if (this.#options.isLaika) this.#tell({ type: 'gap', ...gap });
    // Bare CloudEvents have no word for it, and silence would be a lie.
    else this.close(1008, `gap (${gap.reason}): start again with since=all`);
  }

  #tell(message: Readonly<Record<string, unknown>>): void {
    if (this.#options.isLaika && !this.#isGoing) this.#options.socket.send(JSON.stringify(message));
  }

  #isChatty(): boolean {
    const nowMs = this.#options.clock.elapsed();
    if (nowMs - this.#messagesSinceMs > 60_000) {
      this.#messages = 0;
      this.#messagesSinceMs = nowMs;
    }
    this.#messages += 1;
    return this.#messages > this.#options.limits.messagesPerMinute;
  }

  #fault(error: unknown): void {
    this.#options.log(`stream: ${error instanceof Error ? error.message : String(error)}`);
    if (!this.#isGoing) this.close(1011, 'internal error');
  }
}
