/** What an archive may cost before it is given up, and what an honest one can look like. */

/** A comment is at most 65,535 bytes; the end records of zip64 take 76 more. */
export const tailBytes = 65_535 + 22 + 20 + 56;

/** Central directory: about 100 bytes a member. */
export const maxDirectoryBytes = 2 ** 28;

/** One a storage, and a few beside. */
export const maxMembers = 2_000_000;

/** Deflate reaches 1,032 : 1 on zeros; text and pickles stay far below this. */
export const maxInflateRatio = 200;

/** Below this the ratio says nothing. */
export const freeInflateBytes = 2 ** 16;

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
