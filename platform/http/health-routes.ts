import { Router } from 'express'

/** A check resolves when its part can be used, and rejects with the reason when it cannot. */
export type HealthCheck = (signal: AbortSignal) => Promise<void>

/** Shorter than the patience of common load balancers (5 s and more). */
const checkTimeoutMs = 3_000

/**
 * `/health`: 200 while the process answers at all. `/ready`: 200, or 503 with the checks that fail and why.
 * `/status`: what `status` says, as JSON.
 */
export function healthRoutes(options: {
  checks: Readonly<Record<string, HealthCheck>>
  status: () => Promise<object>
  /** Per check. @default 3 s */
  timeoutMs?: number
}): Router {
  const router = Router()
  router.use(['/health', '/ready', '/status'], (_request, response, next) => {
    response.set('Cache-Control', 'no-store')
    next()
  })
  router.get('/health', (_request, response) => {
    response.json({ status: 'up' })
  })
  router.get('/ready', async (_request, response) => {
    const checks = await runChecks(options.checks, options.timeoutMs ?? checkTimeoutMs)
    const ready = checks.every(({ ok }) => ok)
    response.status(ready ? 200 : 503).json({ status: ready ? 'ready' : 'not ready', checks })
  })
  router.get('/status', async (_request, response) => {
    response.json(await options.status())
  })
  return router
}

type CheckResult = { name: string; ok: boolean; ms: number; reason?: string }

async function runChecks(
  checks: Readonly<Record<string, HealthCheck>>,
  timeoutMs: number,
): Promise<CheckResult[]> {
  return Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const startedAt = performance.now()
      const reason = await reasonOfFailure(check, timeoutMs)
      const ms = Math.round(performance.now() - startedAt)
      return reason === null ? { name, ok: true, ms } : { name, ok: false, ms, reason }
    }),
  )
}

async function reasonOfFailure(check: HealthCheck, timeoutMs: number): Promise<string | null> {
  const controller = new AbortController()
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(() => {
    late.resolve(`no answer within ${timeoutMs} ms`)
    controller.abort()
  }, timeoutMs)
  try {
    const passed = check(controller.signal).then(() => null)
    return await Promise.race([passed, late.promise])
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    clearTimeout(timer)
  }
}
