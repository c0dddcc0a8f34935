import { testSlices } from './slices.ts';

testSlices('strangers');
