export { createPlayCounter, type PlayCounter } from './play-counter.ts'
