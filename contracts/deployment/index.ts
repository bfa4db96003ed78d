export { DeploymentError } from './deploy-contract.ts'
export { type DeployNetworkOptions, deployNetwork, type PaymentsOptions } from './deploy-network.ts'
