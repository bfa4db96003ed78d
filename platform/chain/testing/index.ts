export { type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts'
export { createSimulatedChain, type SimulatedChain } from './simulated-chain.ts'
export { startSimulatedNode } from './simulated-node.ts'
