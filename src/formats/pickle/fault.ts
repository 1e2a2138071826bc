/**
 * A pickle that breaks its own grammar. Never leaves this folder: `readPickle` turns it into data.
 */
export class PickleFault extends Error {
  /** The bytes end where more were wanted. */
  readonly isCut: boolean;

  constructor(message: string, isCut = false) {
    super(message);
    this.name = 'PickleFault';
    this.isCut = isCut;
  }
}
