/** SQLITE_FULL, https://www.sqlite.org/rescode.html */
const sqliteFull = 13

/** Whether a write failed because the disk has no room for it: nothing of its transaction happened. */
export function isDatabaseFull(error: unknown): error is Error & { errcode: number } {
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteFull
}
