import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { processStart } from '../setup/process-identity.ts'
import { eventually } from '../testing/eventually.ts'
import { freePort } from '../testing/free-port.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { thisMachine } from './host.ts'
import { tailOfLog } from './log-file.ts'
import { type ProcessEvent, type Processes, superviseProcesses } from './processes.ts'
import { startService } from './service.ts'

let folder: TemporaryFolder
let processes: Processes
let events: ProcessEvent[]
beforeEach(async () => {
  folder = await makeTemporaryFolder()
  events = []
  processes = superviseProcesses({ onEvent: (event) => events.push(event) })
})
afterEach(async () => {
  await processes.close()
  await folder.remove()
})

async function tiny(name: string, environment: Record<string, string> = {}) {
  const port = await freePort()
  const environmentFile = path.join(folder.path, `${name}.env`)
  const variables = { PORT: String(port), ...environment }
  await writeFile(
    environmentFile,
    Object.entries(variables)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const logFile = path.join(folder.path, `${name}.log`)
  const launch = () =>
    startService({
      name,
      entry: path.join(import.meta.dirname, 'fixtures/tiny-service.ts'),
      environmentFile,
      host: thisMachine,
      port,
      logFile,
      cwd: folder.path,
      signal: AbortSignal.timeout(60_000),
    })
  return { launch, url: `http://127.0.0.1:${port}`, log: () => tailOfLog(logFile) }
}

const isUp = (url: string) => fetch(`${url}/ready`).then((response) => response.ok)

describe('a supervised service', () => {
  test('counts as started when it says that it is ready', async () => {
    const service = await tiny('slow', { READY_AFTER_MS: '700' })
    await processes.start('slow', service.launch)
    expect(await isUp(service.url)).toBe(true)
    expect(processStart(processes.pid('slow') ?? 0)).toBeDefined()
  }, 20_000)

  test('that ends before it is ready is an error with its last words, and is not tried for ever', async () => {
    const service = await tiny('broken', { BEHAVIOUR: 'broken' })
    await expect(processes.start('broken', service.launch)).rejects.toThrow(
      /broken ended with code 3 before it was ready[\s\S]*CONFIGURATION: DATA_DIR is missing/,
    )
    expect(processes.names()).toEqual([])
  }, 20_000)

  test('comes back after a crash, which is reported and remembered', async () => {
    const service = await tiny('crashing')
    await processes.start('crashing', service.launch)
    const first = processes.pid('crashing')
    await expect(fetch(`${service.url}/crash`)).rejects.toThrow()
    await eventually(() => events.map((event) => event.kind), {
      describe: 'the events',
      until: (kinds) => kinds.includes('back'),
      deadlineMs: 15_000,
    })
    expect(events.map((event) => event.kind)).toEqual(['crashed', 'back'])
    expect(processes.crashes()).toEqual([{ name: 'crashing', exit: { code: 1, signal: null } }])
    expect(processes.pid('crashing')).not.toBe(first)
    expect(await isUp(service.url)).toBe(true)
  }, 20_000)

  test('that is killed on purpose stays down, without a report, until it is started again', async () => {
    const service = await tiny('victim')
    await processes.start('victim', service.launch)
    await processes.kill('victim')
    expect(processes.pid('victim')).toBeUndefined()
    await expect(isUp(service.url)).rejects.toThrow()
    await processes.restart('victim')
    expect(await isUp(service.url)).toBe(true)
    expect(events).toEqual([])
    expect(processes.crashes()).toEqual([])
    expect(service.log()).not.toContain('SIGTERM')
  }, 20_000)

  test('is asked to end before it is started again', async () => {
    const service = await tiny('polite')
    await processes.start('polite', service.launch)
    const first = processes.pid('polite')
    await processes.restart('polite')
    expect(service.log()).toContain('SIGTERM obeyed')
    expect(processes.pid('polite')).not.toBe(first)
  }, 20_000)

  test('leaves no child of its own behind', async () => {
    const service = await tiny('parent', { BEHAVIOUR: 'with-child' })
    await processes.start('parent', service.launch)
    const child = Number(/child (\d+)/.exec(service.log())?.[1])
    expect(processStart(child)).toBeDefined()
    await processes.stop('parent')
    await eventually(() => processStart(child) === undefined, {
      describe: 'the end of the child',
      deadlineMs: 5_000,
    })
  }, 20_000)

  test('does not take another program on its port for itself', async () => {
    const service = await tiny('first')
    await processes.start('first', service.launch)
    await expect(processes.start('second', service.launch)).rejects.toThrow('is taken by another program')
  }, 20_000)

  test('ends while it waits to come back when the network is stopped', async () => {
    const service = await tiny('hopeless')
    let launches = 0
    await processes.start('hopeless', async () => {
      if (launches++ > 0) throw new Error('the disk is full')
      return service.launch()
    })
    await expect(fetch(`${service.url}/crash`)).rejects.toThrow()
    await eventually(() => events.some((event) => event.kind === 'failed'), {
      describe: 'a launch that fails',
      deadlineMs: 15_000,
    })
    await processes.close()
    expect(processes.names()).toEqual([])
  }, 20_000)

  test('higher layers end before lower ones', async () => {
    const ends: string[] = []
    const fake = (name: string) => async () => {
      const { promise, resolve } = Promise.withResolvers<{ code: number; signal: null }>()
      const close = async () => {
        ends.push(name)
        resolve({ code: 0, signal: null })
      }
      return { pid: 1, exited: promise, close, kill: close }
    }
    await processes.start('engine', fake('engine'), 0)
    await processes.start('service', fake('service'), 1)
    await processes.close()
    expect(ends).toEqual(['service', 'engine'])
  })
})
