/**
 * What a pickle may cost before it is given up. Every limit is far above what training frameworks
 * write and far below what would hurt the machine that looks.
 */

/** data.pkl of a checkpoint with a million tensors is about 300 MB. */
export const maxPickleBytes = 2 ** 30;

/** A million tensors take about 50 million opcodes. */
export const maxOpcodes = 200_000_000;

/** The C pickler appends in batches of 1,000; only tuples are longer. */
export const maxStackDepth = 1_000_000;

/**
 * Indices are sparse (a file may name 2^32 − 1), so the memo is a Map and its entries are counted.
 */
export const maxMemoEntries = 20_000_000;

/**
 * Memory of all values together, in units of about a hundred bytes: one for a container, three for a
 * dictionary. A million tensors take about twenty million; opcodes of one byte could ask for far more.
 */
export const maxMemoryUnits = 24_000_000;

/** Values that calls may copy: sets, ordered dictionaries and bytes made from other values. */
export const maxCopiedValues = 50_000_000;

/** One integer. Python's own pickles of integers in checkpoints have at most 256 bytes. */
export const maxLongBytes = 2 ** 20;

/** Decimal digits of an integer in protocol 0: Python itself refuses more. */
export const maxDecimalDigits = 4300;

/** One string or bytes object. */
export const maxStringBytes = 2 ** 26;

/** Module and attribute names of a global. */
export const maxNameBytes = 4096;

/**
 * Containers inside each other, when the result is walked: Python's own recursion limit is near.
 */
export const maxDepth = 200;

/**
 * All paths in a file together: a key of megabytes above a million tensors would fill any memory.
 */
export const maxPathCharacters = 2 ** 28;

/**
 * Groups, ids, states and their items that optimizers' dictionaries name, shared ones counted each
 * time.
 */
export const maxStateItems = 20_000_000;

/** Protocols that exist. */
export const maxProtocol = 5;
