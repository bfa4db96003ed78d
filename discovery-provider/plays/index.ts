export { createPlayCounter, type PlayCounter } from './play-counter.ts'
export { createPlayNews, type PlayNews } from './play-news.ts'
