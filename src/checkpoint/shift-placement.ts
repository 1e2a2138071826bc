/** From a slice of a file to the file: what lies in a `stored` part is read without the detour. */
import type { EncodedFile } from './checkpoint.ts';
import type { Placement } from './tensor.ts';

/** `placement` with every place in the part `slice` (codec `stored`) as a place in its real file. */
export function onRealFile<P extends Placement>(placement: P, slice: EncodedFile): P {
  const real = (place: { readonly file: string; readonly offset: number }) =>
    place.file === slice.name
      ? { ...place, file: slice.file, offset: slice.offset + place.offset }
      : place;
  switch (placement.kind) {
    case 'dense':
      return { ...placement, pieces: placement.pieces.map(real) };
    case 'strided':
      return real(placement) as P;
    case 'boxes':
      return {
        ...placement,
        boxes: placement.boxes.map((box) => ({
          ...box,
          placement: onRealFile(box.placement, slice),
        })),
      };
    default:
      return placement;
  }
}
