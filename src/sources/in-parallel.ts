/** Many small reads side by side: on a network one after the other would take for ever. */

const sideBySide = 16;

/** Calls `work` for every item, at most 16 at once; the results are in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T);
  };
  await Promise.all(Array.from({ length: Math.min(sideBySide, items.length) }, worker));
  return results;
}
