import { describe, expect, test } from '@jest/globals'
import { closedConfig, typeInto } from '../fixtures/closed-config.ts'
import { listensLocally, missingCommands, requirements } from './required-config.ts'

describe('what Kubo has to be set to', () => {
  test('all of it is asked for when nothing is set, and nothing once it was typed', () => {
    expect(missingCommands({})).toHaveLength(requirements.length)
    expect(missingCommands(closedConfig())).toEqual([])
  })

  test.each([
    ['Bootstrap', '["auto"]'],
    ['Addresses.Swarm', '["/ip4/0.0.0.0/tcp/4001"]'],
    ['Addresses.Swarm', '["/ip4/127.0.0.1/tcp/4011","/ip4/127.0.0.1/udp/4011/quic-v1"]'],
    ['Addresses.Swarm', '["/ip4/127.0.0.1/tcp/4011/ws"]'],
    ['Addresses.Swarm', '[]'],
    ['Routing.Type', '"auto"'],
    ['Provide.Enabled', 'true'],
    ['Provide.Enabled', 'null'],
    ['Discovery.MDNS.Enabled', 'true'],
    ['AutoConf.Enabled', 'null'],
    ['DNS.Resolvers', '{".":"auto"}'],
    ['Gateway.NoFetch', 'false'],
    ['Plugins.Plugins', 'null'],
    ['Swarm.RelayService.Enabled', 'null'],
  ])('one command is asked for when %s is %s', (key, value) => {
    const config = closedConfig()
    typeInto(config, `ipfs config --json ${key} '${value}'`)
    const [command, ...more] = missingCommands(config)
    expect(command).toContain(key)
    expect(more).toEqual([])
  })

  const blocks = { mountpoint: '/blocks', type: 'flatfs', sync: true }

  test.each([
    [{ type: 'mount', mounts: [blocks] }, true],
    [{ type: 'mount', mounts: [{ ...blocks, sync: false }] }, false],
    [{ type: 'mount', mounts: [{ mountpoint: '/blocks', type: 'measure', child: blocks }] }, true],
    [{ type: 'mount', mounts: [{ mountpoint: '/', type: 'levelds' }] }, false],
    [{ type: 'pebbleds', path: 'pebbleds' }, false],
    [{ type: 'badgerds', syncWrites: false }, false],
    ['auto', false],
  ])('a datastore %j is durable: %p', (spec, durable) => {
    const config = closedConfig()
    config.Datastore = { Spec: spec, HashOnRead: false }
    expect(missingCommands(config)).toHaveLength(durable ? 0 : 1)
  })

  test.each([
    ['/ip4/127.0.0.1/tcp/5001', true],
    [['/ip4/127.0.0.1/tcp/5001', '/ip6/::1/tcp/5001'], true],
    ['/unix/run/kubo.sock', true],
    ['/ip4/0.0.0.0/tcp/5001', false],
    [['/ip4/127.0.0.1/tcp/5001', '/ip4/192.0.2.1/tcp/5001'], false],
    ['/dns4/localhost/tcp/5001', false],
    [undefined, false],
  ])('an RPC at %j is for this machine only: %p', (API, local) => {
    expect(listensLocally({ Addresses: { API } })).toBe(local)
  })
})
