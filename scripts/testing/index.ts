export { DeadlineError, type EventuallyOptions, eventually } from './eventually.ts'
export { freePort } from './free-port.ts'
export { makeTemporaryFolder, type TemporaryFolder } from './temporary-folder.ts'
export { type TestNetwork, testNetwork, testNetworkVariable } from './test-network.ts'
