/**
 * What a pickle may cost before it is given up. Every limit is far above what training frameworks
 * write and far below what would hurt the machine that looks.
 */

/** data.pkl of a checkpoint with a million tensors is about 100 MB. */
export const maxPickleBytes = 2 ** 28;

/** A million tensors take about 50 million opcodes. */
export const maxOpcodes = 200_000_000;

/** The C pickler appends in batches of 1,000; only tuples are longer. */
export const maxStackDepth = 1_000_000;

/**
 * Indices are sparse (a file may name 2^32 − 1), so the memo is a Map and its entries are counted.
 */
export const maxMemoEntries = 20_000_000;

/**
 * Bytes of memory that a pickle and all values in it may take together. A tensor of torch.save takes
 * about 1.3 kB; opcodes of one byte could ask for two hundred times as much as they are long.
 */
export const maxMemoryBytes = 320 * 2 ** 20;

/** What each member of an archive adds to that: a tensor has one, and a bomb would have to pay for it. */
export const memoryPerMember = 1024;

/**
 * The same for a pickle that is read again with more bytes when it was cut: what the reading before
 * took may not be free yet.
 */
export const maxLegacyMemoryBytes = 240 * 2 ** 20;

/** Memory for each stream inside a pickle: one storage's name and size. */
export const maxNestedMemoryBytes = 2 ** 24;

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
export const maxPathCharacters = 2 ** 26;

/** Values that are no tensors and hold others, or a name: a dictionary for each parameter, and a few. */
export const maxContainers = 500_000;

/**
 * Groups, ids, states and their items that optimizers' dictionaries name, shared ones counted each
 * time.
 */
export const maxStateItems = 5_000_000;

/** Protocols that exist. */
export const maxProtocol = 5;
