/** As many as any suite has at most; each has ports of its own. */
export const mostWorkers = 2

/** Which of a suite's workers this process is, or was started by: from 0 to below `mostWorkers`. */
export function workerNumber(): number {
  return Number(process.env.JEST_WORKER_ID ?? 1) % mostWorkers
}
