/** Events as the text that is sent. Serialised once for all clients. */
import { cloudEventJson, type StoredEvent } from '../history/event.ts';

const textsKept = 256;

/** The newest events as text. */
export class EventText {
  readonly #from: { readonly epoch: string; readonly host: string };
  readonly #texts = new Map<number, string>();

  constructor(from: { readonly epoch: string; readonly host: string }) {
    this.#from = from;
  }

  /** The bare CloudEvent. */
  of(event: StoredEvent): string {
    const known = this.#texts.get(event.seq);
    if (known !== undefined) return known;
    const text = cloudEventJson(event, this.#from);
    this.#texts.set(event.seq, text);
    const oldest = this.#texts.keys().next();
    if (this.#texts.size > textsKept && !oldest.done) this.#texts.delete(oldest.value);
    return text;
  }
}
