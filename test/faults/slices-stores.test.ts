import { testSlices } from './slices.ts';

testSlices('stores');
