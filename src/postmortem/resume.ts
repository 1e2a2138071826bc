/** How to go on from the last good checkpoint, in the words of the framework that wrote it. */
import type { CheckpointPart } from '../verdict/result.ts';

/** One paragraph; `good` is null where no checkpoint can be trusted. */
export function resumeAdvice(good: CheckpointPart | null): string {
  if (!good) {
    return 'No checkpoint of this run can be trusted: start from an earlier backup, or from the beginning.';
  }
  const { path, layout, step } = good;
  const at = step === null ? '' : ` (step ${step})`;
  const state = good.optimizers.length > 0;
  switch (layout) {
    case 'hf-trainer':
      return `trainer.train(resume_from_checkpoint=${JSON.stringify(path)}) goes on from it${at}.`;
    case 'torch-zip':
      return (
        `checkpoint = torch.load(${JSON.stringify(path)}, map_location="cpu")${at}; load the model's and the ` +
        "optimizer's state from it, and the scheduler's and random states if your script saves them."
      );
    default:
      return state
        ? `Load weights and optimizer state from ${path}${at}.`
        : `Load the weights of ${path}${at}; it holds no optimizer state, so warm the optimizer up again.`;
  }
}
