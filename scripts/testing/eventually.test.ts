import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { eventually } from './eventually.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'

describe('eventually', () => {
  test('resolves to the first value that will do', async () => {
    let looks = 0
    const value = await eventually(() => ++looks, {
      describe: 'looks',
      until: (count) => count >= 3,
      deadlineMs: 5_000,
      everyMs: 1,
    })
    expect(value).toBe(3)
  })

  test('an error is "not yet" while there is time', async () => {
    let looks = 0
    const value = await eventually(
      () => {
        if (++looks < 3) throw new Error('connection refused')
        return 'answer'
      },
      { describe: 'an answer', deadlineMs: 5_000, everyMs: 1 },
    )
    expect(value).toBe('answer')
  })

  test('shows the last value and the last lines of the logs when time is up', async () => {
    const folder = await makeTemporaryFolder()
    await writeFile(path.join(folder.path, 'creator-node.log'), 'old\ndisk full\n')
    await expect(
      eventually(() => ({ status: 'pending' }), {
        describe: 'the action',
        until: (action) => action.status === 'applied',
        deadlineMs: 30,
        everyMs: 5,
        logDirectory: folder.path,
      }),
    ).rejects.toThrow(
      /the action: not within 30 ms; its last value was { status: 'pending' }[\s\S]*creator-node.log\nold\ndisk full/,
    )
    await folder.remove()
  })

  test('shows the last error when time is up', async () => {
    const failing = eventually(() => Promise.reject(new Error('no route to host')), {
      describe: 'the node',
      deadlineMs: 30,
      everyMs: 5,
    })
    await expect(failing).rejects.toThrow(/it last failed with Error: no route to host/)
  })

  test('does not wait for a look that never ends, and aborts it', async () => {
    let seen: AbortSignal | undefined
    const stuck = eventually(
      (signal) => {
        seen = signal
        return new Promise<boolean>(() => {})
      },
      { describe: 'the answer', deadlineMs: 30 },
    )
    await expect(stuck).rejects.toThrow('the last look did not end')
    expect(seen?.aborted).toBe(true)
  })
})
