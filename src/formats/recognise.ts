/** Which layout a file or folder is: by content, then by name. */
import { contentKindOf } from './content-kind.ts';
import type { Format, Sighting } from './format.ts';
import { formats } from './registry.ts';

/** Endings that say checkpoint: with them an empty file is a checkpoint that was cut to nothing. */
const checkpointName =
  /\.(safetensors|pt|pth|bin|ckpt|pth\.tar|msgpack|np[yz]|gguf|onnx|keras|h5|hdf5)$|^checkpoint_[0-9]+$|^(ckpt|model\.ckpt|variables)\b.*\.index$/i;

/** `.bin` says little: noise under another name than these is no checkpoint. */
const binName =
  /^(pytorch_model|adapter_model|model|diffusion_pytorch_model|optimizer|scheduler|consolidated)\b/i;

/** Null: no layout claims it, or its content is plainly something else. */
export function recognise(sighting: Sighting): Format | null {
  const certain = formats.find((format) => format.recognise(sighting) === 'certain');
  if (certain) return certain;
  if (sighting.source.isFile) {
    const name = sighting.files[0]?.name ?? '';
    // Fewer bytes prove nothing: a header that was cut may look like text.
    if (sighting.head.length >= 8 && contentKindOf(sighting.head)) return null;
    if (/\.bin$/i.test(name) && !binName.test(name)) return null;
  }
  return formats.find((format) => format.recognise(sighting) === 'named') ?? null;
}

/** Does the name alone say checkpoint? */
export function isCheckpointName(name: string): boolean {
  return checkpointName.test(name);
}

/** Zero bytes under a checkpoint's name. */
export function isEmptyCheckpoint({ source, files }: Sighting): boolean {
  const [file] = files;
  return source.isFile && file?.sizeBytes === 0 && isCheckpointName(file.name);
}
