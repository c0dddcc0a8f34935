import { testSlices } from './slices.ts';

testSlices('processes');
