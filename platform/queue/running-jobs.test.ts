import { describe, expect, test } from '@jest/globals'
import { createRunningJobs } from './running-jobs.ts'

describe('running jobs', () => {
  test('run each id once at a time; a second delivery joins the first', async () => {
    const running = createRunningJobs()
    const end = Promise.withResolvers<void>()
    let runs = 0
    const work = () => {
      runs += 1
      return end.promise
    }
    const deliveries = [running.run('a', work), running.run('a', work), running.run('b', work)]
    expect([runs, running.size]).toEqual([2, 2])
    end.resolve()
    await Promise.all(deliveries)
    expect(running.size).toBe(0)
  })

  test('run an id again once it has ended, also when it failed', async () => {
    const running = createRunningJobs()
    await expect(running.run('a', () => Promise.reject(new Error('x')))).rejects.toThrow('x')
    let ran = false
    await running.run('a', async () => {
      ran = true
    })
    expect(ran).toBe(true)
  })

  test('stop by aborting, and wait for the end', async () => {
    const running = createRunningJobs()
    let ended = false
    const run = running.run('a', async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      ended = true
    })
    await running.stop(10_000)
    expect(ended).toBe(true)
    await run
  })

  test('stop within the grace time when a run does not listen', async () => {
    const running = createRunningJobs()
    void running.run('deaf', () => new Promise(() => {}))
    await running.stop(20)
    expect(running.size).toBe(1)
  })
})
