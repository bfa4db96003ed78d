export {
  createQueue,
  type Job,
  type ParkedJob,
  PermanentFailure,
  type Queue,
  type QueueOptions,
} from './bull-queue.ts'
export { QueueUnavailable } from './redis-client.ts'
