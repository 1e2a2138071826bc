// What an engine starts as a worker thread.
require('./load.js').load('thread').main();
