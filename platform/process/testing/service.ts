import { z } from 'zod'
import { loadConfig, portNumber, runService } from '../index.ts'

/** A service for the tests of `runService`; `MODE` says how it behaves. */
await runService('fixture', async ({ lifecycle, env, logger }) => {
  const { MODE } = loadConfig(z.object({ MODE: z.string(), PORT: portNumber }), env)
  const timer = setInterval(() => {}, 1_000)
  lifecycle.onClose('timer', () => clearInterval(timer))
  lifecycle.onClose('witness', () => logger.info('witness closed'))
  if (MODE === 'fail') throw new Error('the disk is full')
  if (MODE === 'throw later') setImmediate(() => thrower())
  if (MODE === 'reject later') setImmediate(() => void Promise.reject(new Error('nobody waits for this')))
  if (MODE === 'close badly') lifecycle.onClose('bad', () => Promise.reject(new Error('cannot close')))
  if (MODE === 'start for ever') {
    logger.info('starting')
    await new Promise((_, reject) =>
      lifecycle.signal.addEventListener('abort', () => reject(lifecycle.signal.reason)),
    )
  }
  return { port: 4600 }
})

function thrower(): never {
  throw new Error('nobody catches this')
}
