/**
 * Sends a signal (0: only asks) to the process group that `leader` leads, so that the children of a
 * service, such as its ffmpeg, are reached too. False when no process of the group is left.
 */
export function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    // macOS answers EPERM for a group of which only a zombie is left.
    if (error instanceof Error && 'code' in error && error.code === 'EPERM')
      return process.platform !== 'darwin'
    throw error
  }
}
