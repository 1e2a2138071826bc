import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { engineContract } from './contract.ts';

engineContract('reference', async () => openReferenceEngine());
