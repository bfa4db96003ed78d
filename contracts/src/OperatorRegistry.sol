// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IOperatorRegistry} from "./interfaces/IOperatorRegistry.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @title {IOperatorRegistry} over one vault and one minimum stake, both fixed.
contract OperatorRegistry is IOperatorRegistry {
    /// @inheritdoc IOperatorRegistry
    uint256 public constant MAX_ENDPOINT_BYTES = 255;

    /// @inheritdoc IOperatorRegistry
    uint256 public constant MAX_PEER_ID_BYTES = 64;

    /// @inheritdoc IOperatorRegistry
    IStakeVault public immutable vault;

    /// @inheritdoc IOperatorRegistry
    uint256 public immutable minimumStake;

    /// @inheritdoc IOperatorRegistry
    mapping(address hotKey => address) public operatorOfHotKey;

    mapping(address account => Operator) private _operators;
    address[] private _accounts;

    constructor(IStakeVault vault_, uint256 minimumStake_) {
        if (address(vault_).code.length == 0) revert OperatorVaultMissing(address(vault_));
        if (minimumStake_ == 0) revert OperatorMinimumStakeZero();
        vault = vault_;
        minimumStake = minimumStake_;
    }

    /// @inheritdoc IOperatorRegistry
    function register(
        address controller,
        string calldata endpoint,
        bytes calldata peerId,
        address hotKey,
        uint64 capacityBytes
    ) external {
        Operator storage self = _operators[msg.sender];
        if (self.controller != address(0)) revert OperatorAlreadyRegistered(msg.sender);

        address effectiveController = controller == address(0) ? msg.sender : controller;
        self.controller = effectiveController;
        _accounts.push(msg.sender);
        _describe(self, endpoint, peerId, hotKey, capacityBytes);
        emit OperatorRegistered(msg.sender, effectiveController, endpoint, peerId, hotKey, capacityBytes);
    }

    /// @inheritdoc IOperatorRegistry
    function update(string calldata endpoint, bytes calldata peerId, address hotKey, uint64 capacityBytes) external {
        _describe(_registered(msg.sender), endpoint, peerId, hotKey, capacityBytes);
        emit OperatorUpdated(msg.sender, endpoint, peerId, hotKey, capacityBytes);
    }

    /// @inheritdoc IOperatorRegistry
    function requestExit() external {
        Operator storage self = _registered(msg.sender);
        if (self.exiting) revert OperatorAlreadyExiting(msg.sender);
        self.exiting = true;
        emit OperatorExitRequested(msg.sender);
    }

    /// @inheritdoc IOperatorRegistry
    function cancelExit() external {
        Operator storage self = _registered(msg.sender);
        if (!self.exiting) revert OperatorNotExiting(msg.sender);
        self.exiting = false;
        emit OperatorExitCancelled(msg.sender);
    }

    /// @inheritdoc IOperatorRegistry
    function operator(address account) external view returns (Operator memory) {
        return _operators[account];
    }

    /// @inheritdoc IOperatorRegistry
    function isActive(address account) external view returns (bool) {
        Operator storage self = _operators[account];
        address controller = self.controller;
        return controller != address(0) && !self.exiting && vault.stakeOf(account, controller) >= minimumStake;
    }

    /// @inheritdoc IOperatorRegistry
    function operatorCount() external view returns (uint256) {
        return _accounts.length;
    }

    /// @inheritdoc IOperatorRegistry
    function operatorAt(uint256 index) external view returns (address) {
        if (index >= _accounts.length) revert OperatorIndexOutOfRange(index, _accounts.length);
        return _accounts[index];
    }

    /// @dev Sets the part of the caller's entry that may change, and moves the claim on its hot key.
    function _describe(
        Operator storage self,
        string calldata endpoint,
        bytes calldata peerId,
        address hotKey,
        uint64 capacityBytes
    ) private {
        uint256 endpointBytes = bytes(endpoint).length;
        if (endpointBytes == 0) revert OperatorEndpointEmpty();
        if (endpointBytes > MAX_ENDPOINT_BYTES) revert OperatorEndpointTooLong(endpointBytes, MAX_ENDPOINT_BYTES);
        if (peerId.length > MAX_PEER_ID_BYTES) revert OperatorPeerIdTooLong(peerId.length, MAX_PEER_ID_BYTES);
        if (hotKey == address(0)) revert OperatorHotKeyZero();

        address previousHotKey = self.hotKey;
        if (hotKey != previousHotKey) {
            address holder = operatorOfHotKey[hotKey];
            if (holder != address(0)) revert OperatorHotKeyTaken(hotKey, holder);
            if (previousHotKey != address(0)) delete operatorOfHotKey[previousHotKey];
            operatorOfHotKey[hotKey] = msg.sender;
            self.hotKey = hotKey;
        }
        self.endpoint = endpoint;
        self.peerId = peerId;
        self.capacityBytes = capacityBytes;
    }

    /// @dev The entry of an account, which must be registered.
    function _registered(address account) private view returns (Operator storage self) {
        self = _operators[account];
        if (self.controller == address(0)) revert OperatorNotRegistered(account);
    }
}
