/** Builds the programs from the sources under test: Node runs no TypeScript. */
export { bundlePrograms as setup } from '../build/programs.mjs';
