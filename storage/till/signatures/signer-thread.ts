import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { answer } from './flat-messages.ts'
import { loadNativeRecovery } from './native-recover.ts'

const { signerOf } = loadNativeRecovery()

/** Every request passes through the main thread several times, and through this one but once: where processors are few
 * that one goes first. */
const niceness = 6
try {
  // On Linux this is of a thread (setpriority(2)), elsewhere of the whole process.
  if (process.platform === 'linux') setPriority(niceness)
} catch {
  // Where it is forbidden it goes without.
}

parentPort?.on('message', (asked: Uint8Array) => parentPort?.postMessage(answer(asked, signerOf)))
