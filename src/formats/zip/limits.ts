/** What an archive may cost before it is given up, and what an honest one can look like. */

/** A comment is at most 65,535 bytes; the end records of zip64 take 76 more. */
export const tailBytes = 65_535 + 22 + 20 + 56;

/** Central directory: about 100 bytes a member. */
export const maxDirectoryBytes = 2 ** 27;

/** One a storage, and a few beside. */
export const maxMembers = 1_000_000;

/** Deflate reaches 1,032 : 1 on zeros; text and pickles stay far below this. */
export const maxInflateRatio = 200;

/** Below this the ratio says nothing. */
export const freeInflateBytes = 2 ** 16;
