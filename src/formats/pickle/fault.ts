/**
 * A pickle that breaks its own grammar. Never leaves this folder: `readPickle` turns it into data.
 */
export class PickleFault extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'PickleFault';
  }
}
