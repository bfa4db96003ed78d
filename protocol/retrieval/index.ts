export { type Answer, type Download, type Fetch, tooLarge } from './attempt.ts'
export {
  createRetriever,
  type Retrieved,
  type RetrieveOptions,
  type Retriever,
  type RetrieverOptions,
} from './retriever.ts'
export { type Fault, type FaultKind, RetrievalFailed, type Source } from './source.ts'
export type { Quality } from './standings.ts'
