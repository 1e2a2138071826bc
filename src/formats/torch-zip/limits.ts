/** What one file of torch.save may cost before it is given up. */

/**
 * Tensors whose member is compressed are kept in memory up to here; above it they are listed and
 * not read.
 */
export const maxInlineBytes = 2 ** 26;

/** All tensors kept in memory together. */
export const maxInlineTotalBytes = 2 ** 28;

/** Members such as `version` and `byteorder` are a few bytes. */
export const maxSmallMemberBytes = 2 ** 16;

/** How much of a member that no tensor refers to is read to see whether it hides a pickle. */
export const maxHiddenPickleBytes = 2 ** 20;

/** All of them together. */
export const maxHiddenTotalBytes = 2 ** 26;

/** Tensors of one file. The largest models that are trained have some hundred thousand. */
export const maxTensors = 1_000_000;

/** PyTorch itself stops at 64 dimensions. */
export const maxRank = 64;

/** Bytes of one tensor as it would be read, repetitions of an expanded dimension included. */
export const maxTensorBytes = 2n ** 53n;
