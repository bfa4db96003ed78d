// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IStakeVault} from "./IStakeVault.sol";

/**
 * @title Who runs the nodes, and where.
 * @notice Each operator registers once, from its own (cold) address, and names a controller whose stake stands behind
 * it, the endpoint and peer id of its node, the hot key by which the node signs, and the capacity that it offers.
 */
interface IOperatorRegistry {
    /**
     * @notice What the registry knows of an operator.
     * @param controller Whose stake counts; zero only if the address is not registered.
     * @param capacityBytes What the node offers to store; zero for a node that stores nothing for others.
     * @param exiting Whether the operator asked to leave.
     * @param hotKey By which the node signs offers, receipts and requests.
     * @param endpoint Origin of the node's HTTP interface, such as `https://node.example`.
     * @param peerId The node's libp2p peer id as bytes; may be empty.
     */
    struct Operator {
        address controller;
        uint64 capacityBytes;
        bool exiting;
        address hotKey;
        string endpoint;
        bytes peerId;
    }

    /// @notice An operator joined. It is active once its controller has staked enough.
    event OperatorRegistered(
        address indexed operator,
        address indexed controller,
        string endpoint,
        bytes peerId,
        address hotKey,
        uint64 capacityBytes
    );

    /// @notice An operator replaced what can change.
    event OperatorUpdated(
        address indexed operator,
        string endpoint,
        bytes peerId,
        address hotKey,
        uint64 capacityBytes
    );

    /// @notice An operator asked to leave and is no longer active.
    event OperatorExitRequested(address indexed operator);

    /// @notice An operator stays after all.
    event OperatorExitCancelled(address indexed operator);

    /// @notice There is no vault contract at this address.
    error OperatorVaultMissing(address vault);

    /// @notice Operators without any stake would cost nothing to make up.
    error OperatorMinimumStakeZero();

    /// @notice The address has registered before. Each may only once.
    error OperatorAlreadyRegistered(address operator);

    /// @notice The address is not a registered operator.
    error OperatorNotRegistered(address operator);

    /// @notice The operator has asked to leave already.
    error OperatorAlreadyExiting(address operator);

    /// @notice The operator has not asked to leave.
    error OperatorNotExiting(address operator);

    /// @notice An operator must say where its node is.
    error OperatorEndpointEmpty();

    /// @notice The endpoint is too long. Lengths are in bytes.
    error OperatorEndpointTooLong(uint256 length, uint256 max);

    /// @notice The peer id is too long. Lengths are in bytes.
    error OperatorPeerIdTooLong(uint256 length, uint256 max);

    /// @notice A hot key must not be the zero address.
    error OperatorHotKeyZero();

    /// @notice The hot key belongs to another operator.
    error OperatorHotKeyTaken(address hotKey, address operator);

    /// @notice There are fewer operators than that.
    error OperatorIndexOutOfRange(uint256 index, uint256 count);

    /**
     * @notice Registers the caller as an operator.
     * @param controller Whose stake will count, for ever; zero means the caller itself. Operators of one controller
     * count as one where independence matters.
     * @param endpoint 1 to {MAX_ENDPOINT_BYTES} bytes.
     * @param peerId At most {MAX_PEER_ID_BYTES} bytes.
     * @param hotKey Not zero, and no other operator's at this time. Since possession is not proved, a key that someone
     * else has claimed first is simply replaced by a fresh one.
     * @param capacityBytes May be zero.
     */
    function register(
        address controller,
        string calldata endpoint,
        bytes calldata peerId,
        address hotKey,
        uint64 capacityBytes
    ) external;

    /// @notice Replaces the calling operator's endpoint, peer id, hot key and capacity, under the same limits.
    function update(string calldata endpoint, bytes calldata peerId, address hotKey, uint64 capacityBytes) external;

    /// @notice The calling operator stops being active. It stays registered, and may still update.
    function requestExit() external;

    /// @notice Takes the caller's {requestExit} back.
    function cancelExit() external;

    /// @notice What is known of an operator; zeros if the address is not registered.
    function operator(address account) external view returns (Operator memory);

    /// @notice Whether the address is registered, is not leaving, and its controller's stake for it is enough.
    function isActive(address account) external view returns (bool);

    /// @notice The operator that holds a hot key now; zero if none does.
    function operatorOfHotKey(address hotKey) external view returns (address);

    /// @notice How many operators have ever registered.
    function operatorCount() external view returns (uint256);

    /// @notice The address of the operator that registered as number `index`, from zero.
    function operatorAt(uint256 index) external view returns (address);

    /// @notice Stake by its controller that an operator needs to be active, in base units of the vault's token; not zero.
    function minimumStake() external view returns (uint256);

    /// @notice Where stake lies.
    function vault() external view returns (IStakeVault);

    /// @notice Longest endpoint, in bytes.
    function MAX_ENDPOINT_BYTES() external view returns (uint256);

    /// @notice Longest peer id, in bytes.
    function MAX_PEER_ID_BYTES() external view returns (uint256);
}
