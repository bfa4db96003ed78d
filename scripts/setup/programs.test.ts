import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { makeTemporaryFolder, type TemporaryFolder } from '../testing/temporary-folder.ts'
import { ffmpeg, ffprobe, findProgram, installPrograms, redisServer, type Surroundings } from './programs.ts'

let folder: TemporaryFolder
let commands: string[]
let asked: string[]
const signal = new AbortController().signal

beforeEach(async () => {
  folder = await makeTemporaryFolder()
  commands = []
  asked = []
})
afterEach(() => folder.remove())

async function provide(...names: string[]): Promise<void> {
  for (const name of names) {
    await writeFile(path.join(folder.path, name), '#!/bin/sh\n')
    await chmod(path.join(folder.path, name), 0o755)
  }
}

/** A machine on which apt brings what it is asked for. */
function machine(changes: Partial<Surroundings> = {}): Surroundings {
  return {
    platform: 'linux',
    isRoot: false,
    isTerminal: false,
    searchPath: folder.path,
    async ask(question) {
      asked.push(question)
      return true
    },
    async run(command) {
      commands.push(command.join(' '))
      if (command.includes('install')) await provide('ffmpeg', 'ffprobe', 'redis-server')
      return 0
    },
    ...changes,
  }
}

const needed = [ffmpeg, ffprobe, redisServer]
const install = (surroundings: Surroundings) => installPrograms(needed, () => {}, signal, surroundings)

describe('the programs that npm does not carry', () => {
  test('are left alone when they are there', async () => {
    await provide('ffmpeg', 'ffprobe', 'redis-server')
    await install(machine())
    expect(commands).toEqual([])
  })

  test('may be a library, which is looked for in a way of its own', async () => {
    await provide('apt-get')
    const isHere = () => commands.some((command) => command.endsWith('libsample-dev'))
    const library = { command: 'libsample', apt: 'libsample-dev', brew: 'sample', isHere }
    for (const _ of ['installs it', 'finds it']) {
      await installPrograms([library], () => {}, signal, machine({ isRoot: true }))
    }
    expect(commands).toEqual([expect.stringMatching(/ install .*libsample-dev$/)])
  })

  test('are installed by apt without a question when we are root', async () => {
    await provide('apt-get')
    await install(machine({ isRoot: true }))
    expect(asked).toEqual([])
    expect(commands).toEqual([
      expect.stringMatching(
        /^env DEBIAN_FRONTEND=noninteractive apt-get .*install -y --no-install-recommends ffmpeg redis-server$/,
      ),
    ])
  })

  test('are installed with sudo after a yes on the terminal', async () => {
    await provide('apt-get', 'sudo', 'ffmpeg', 'ffprobe')
    await install(machine({ isTerminal: true }))
    expect(asked).toEqual([expect.stringContaining('redis-server: not found')])
    expect(commands[0]).toMatch(/^sudo env .* redis-server$/)
  })

  test.each<[string, string[], Partial<Surroundings>]>([
    ['there is no terminal to ask on', ['apt-get', 'sudo'], {}],
    ['the answer is no', ['apt-get', 'sudo'], { isTerminal: true, ask: async () => false }],
    ['there is no sudo', ['apt-get'], { isTerminal: true }],
    ['there is no apt', ['sudo'], { isTerminal: true }],
  ])('are named with the one line to type when %s', async (_, programs, surroundings) => {
    await provide(...programs)
    await expect(install(machine(surroundings))).rejects.toThrow(
      'sudo apt-get update && sudo apt-get install -y --no-install-recommends ffmpeg redis-server',
    )
    expect(commands).toEqual([])
  })

  test('come from brew on macOS', async () => {
    await expect(install(machine({ platform: 'darwin' }))).rejects.toThrow('brew install ffmpeg redis')
  })

  test('are tried again with new lists when apt does not know them, and then its failure is told', async () => {
    await provide('apt-get')
    const failing = machine({
      isRoot: true,
      run: async (command) => {
        commands.push(command.at(-1) === 'update' ? 'update' : 'install')
        return 100
      },
    })
    await expect(install(failing)).rejects.toThrow('apt-get ended with code 100')
    expect(commands).toEqual(['install', 'update', 'install'])
  })

  test('a folder or a file without permission to run is no program', async () => {
    await mkdir(path.join(folder.path, 'ffmpeg'))
    await writeFile(path.join(folder.path, 'ffprobe'), '')
    expect(findProgram('ffmpeg', folder.path)).toBeUndefined()
    expect(findProgram('ffprobe', folder.path)).toBeUndefined()
  })
})
