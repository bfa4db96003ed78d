// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Catalog} from "../src/Catalog.sol";
import {HexToken} from "../src/HexToken.sol";
import {OperatorRegistry} from "../src/OperatorRegistry.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {Action, SignedActions} from "./support/SignedActions.sol";
import {vm} from "./support/Vm.sol";

/// @dev What each call costs as a transaction of its own, all included; committed in `snapshots/`.
contract GasTest is SignedActions {
    string private constant ENDPOINT = "https://content-1.hexachord.example";

    bytes private peerId = hex"0024080112204b1d6d39c0d6e4c2e9a3d9b9a9e5c2c4a7c1b0d9e8f7061524334251607f8e";

    Catalog private catalog;
    HexToken private token;
    OperatorRegistry private registry;
    StakeVault private vault;

    function setUp() public {
        token = new HexToken();
        vault = new StakeVault(token, 14 days);
        registry = new OperatorRegistry(vault, 100 ether);
        catalog = new Catalog();
        token.approve(address(vault), type(uint256).max);
        // Totals of a vault in use are not zero.
        vault.stake(address(this), 1 ether);
        vault.unbond(address(this), 0.5 ether);
    }

    function test_gasOfActing() public {
        _act(0, 512, "act, 512 bytes, first nonce of a word");
        _act(1, 512, "act, 512 bytes, next nonce of a word");
        _act(2, 2048, "act, 2048 bytes, next nonce of a word");
        _act(3, 8192, "act, 8192 bytes, next nonce of a word");
    }

    function test_gasOfStaking() public {
        vault.stake(address(0xA), 100 ether);
        vm.snapshotGasLastCall("StakeVault", "stake, first");
        vault.stake(address(0xA), 100 ether);
        vm.snapshotGasLastCall("StakeVault", "stake, more");
        uint256 id = vault.unbond(address(0xA), 100 ether);
        vm.snapshotGasLastCall("StakeVault", "unbond");
        vm.warp(block.timestamp + 14 days);
        vault.withdraw(id);
        vm.snapshotGasLastCall("StakeVault", "withdraw");
    }

    function test_gasOfRegistering() public {
        registry.register(address(0xC), ENDPOINT, peerId, address(0xE1), 1 << 40);
        vm.snapshotGasLastCall("OperatorRegistry", "register");
        registry.update(ENDPOINT, peerId, address(0xE1), 1 << 41);
        vm.snapshotGasLastCall("OperatorRegistry", "update, capacity");
        registry.update(ENDPOINT, peerId, address(0xE2), 1 << 41);
        vm.snapshotGasLastCall("OperatorRegistry", "update, hot key");
        registry.requestExit();
        vm.snapshotGasLastCall("OperatorRegistry", "requestExit");
        registry.cancelExit();
        vm.snapshotGasLastCall("OperatorRegistry", "cancelExit");
        registry.isActive(address(this));
        vm.snapshotGasLastCall("OperatorRegistry", "isActive");
    }

    function _act(uint256 nonce, uint256 length, string memory name) private {
        bytes memory content = new bytes(length);
        for (uint256 i; i < length; ++i) content[i] = 0x2a;
        Action memory action = Action({
            author: vm.addr(1),
            nonce: nonce,
            kind: 1,
            subject: bytes32(uint256(7)),
            content: content,
            deadline: block.timestamp
        });
        act(catalog, action, sign(catalog, action, 1));
        vm.snapshotGasLastCall("Catalog", name);
    }
}
