import { openWasmEngine } from '../../src/engines/wasm/wasm-engine.ts';
import { engineContract } from './contract.ts';

engineContract('wasm', openWasmEngine);
