/** Starts the page: the live feed and the view that draws it. */
import { render } from 'preact';
import { startTopics } from './data/topics.ts';
import { Frame } from './frame.tsx';

const place = document.getElementById('page');
if (place === null) throw new Error('index.html has no element #page');
startTopics();
render(<Frame />, place);
