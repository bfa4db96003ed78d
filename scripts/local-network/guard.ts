// A program of its own: it outlives whoever started it and ends what that one left behind. It is told
// over standard input, one line each, `watch PID SIGNAL` and `forget PID`; when standard input ends while
// processes are still watched, their owner has died (kill -9, a crash, a closed terminal), and they are ended.
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { signalGroup } from './signal-group.ts'

/** Long enough for Postgres to write its checkpoint, short enough not to be noticed by the next start. */
const graceMs = 8_000

const watched = new Map<number, NodeJS.Signals>()

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, pid, signal] = line.split(' ')
  if (verb === 'watch') watched.set(Number(pid), signal as NodeJS.Signals)
  else if (verb === 'forget') watched.delete(Number(pid))
}

for (const [pid, signal] of watched) signalGroup(pid, signal)
const deadlineMs = Date.now() + graceMs
while (Date.now() < deadlineMs && [...watched.keys()].some((pid) => signalGroup(pid, 0))) await wait(50)
for (const pid of watched.keys()) signalGroup(pid, 'SIGKILL')
