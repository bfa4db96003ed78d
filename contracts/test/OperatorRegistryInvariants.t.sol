// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OperatorRegistry} from "../src/OperatorRegistry.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {IOperatorRegistry} from "../src/interfaces/IOperatorRegistry.sol";
import {OpenToken} from "./support/Tokens.sol";
import {clamp, vm} from "./support/Vm.sol";

/// @dev More operators than hot keys, so that they must collide; controllers and strangers stake and unbond.
contract OperatorRegistryHandler {
    uint256 public constant OPERATORS = 5;
    uint256 public constant CONTROLLERS = 3;
    uint256 public constant HOT_KEYS = 4;
    uint256 public constant MINIMUM = 1000;

    OpenToken public immutable token = new OpenToken();
    StakeVault public immutable vault = new StakeVault(token, 1 days);
    OperatorRegistry public immutable registry = new OperatorRegistry(vault, MINIMUM);

    uint256 public registered;
    mapping(address operator => address) public controllerOf;
    mapping(address operator => bool) public exiting;
    mapping(address operator => mapping(address staker => uint256)) public staked;

    function register(uint256 operator, uint256 controller, uint256 hotKey, uint64 capacityBytes) external {
        address who = operatorAt(operator);
        address whose = controller % (CONTROLLERS + 1) == 0 ? address(0) : controllerAt(controller);
        address key = hotKeyAt(hotKey);
        bool accepted = controllerOf[who] == address(0) && registry.operatorOfHotKey(key) == address(0);
        vm.prank(who);
        try registry.register(whose, "https://node.example", "", key, capacityBytes) {
            require(accepted, "registered though it must not");
            controllerOf[who] = whose == address(0) ? who : whose;
            ++registered;
        } catch {
            require(!accepted, "refused though it may");
        }
    }

    function update(uint256 operator, uint256 hotKey, uint64 capacityBytes) external {
        address who = operatorAt(operator);
        address key = hotKeyAt(hotKey);
        address holder = registry.operatorOfHotKey(key);
        bool accepted = controllerOf[who] != address(0) && (holder == address(0) || holder == who);
        vm.prank(who);
        try registry.update("https://elsewhere.example", "peer", key, capacityBytes) {
            require(accepted, "updated though it must not");
        } catch {
            require(!accepted, "refused though it may");
        }
    }

    function exit(uint256 operator, bool cancel) external {
        address who = operatorAt(operator);
        bool accepted = controllerOf[who] != address(0) && exiting[who] == cancel;
        bytes memory call = cancel
            ? abi.encodeCall(OperatorRegistry.cancelExit, ())
            : abi.encodeCall(OperatorRegistry.requestExit, ());
        vm.prank(who);
        (bool ok, ) = address(registry).call(call);
        require(ok == accepted, "exit and its cancelling take turns");
        if (ok) exiting[who] = !cancel;
    }

    function stake(uint256 operator, uint256 staker, uint16 amount) external {
        amount = uint16(clamp(amount, 1, type(uint16).max));
        address who = stakerAt(staker);
        token.mint(who, amount);
        vm.prank(who);
        token.approve(address(vault), amount);
        vm.prank(who);
        vault.stake(operatorAt(operator), amount);
        staked[operatorAt(operator)][who] += amount;
    }

    function unbond(uint256 operator, uint256 staker, uint256 amount) external {
        address who = stakerAt(staker);
        uint256 bonded = staked[operatorAt(operator)][who];
        if (bonded == 0) return;
        amount = clamp(amount, 1, bonded);
        vm.prank(who);
        vault.unbond(operatorAt(operator), amount);
        staked[operatorAt(operator)][who] -= amount;
    }

    function operatorAt(uint256 index) public pure returns (address) {
        return address(uint160(0xA0 + (index % OPERATORS)));
    }

    function controllerAt(uint256 index) public pure returns (address) {
        return address(uint160(0xC0 + (index % CONTROLLERS)));
    }

    function hotKeyAt(uint256 index) public pure returns (address) {
        return address(uint160(0xE0 + (index % HOT_KEYS)));
    }

    /// @dev Controllers, and operators themselves; strangers to most operators.
    function stakerAt(uint256 index) public pure returns (address) {
        return index % 2 == 0 ? controllerAt(index / 2) : operatorAt(index / 2);
    }
}

contract OperatorRegistryInvariants {
    OperatorRegistryHandler private handler;
    address[] private targets;

    function setUp() public {
        handler = new OperatorRegistryHandler();
        targets.push(address(handler));
    }

    function targetContracts() public view returns (address[] memory) {
        return targets;
    }

    /// @notice A hot key names at most one operator, and that operator names it.
    function invariant_hotKeysAndOperatorsNameEachOther() public view {
        OperatorRegistry registry = handler.registry();
        uint256 held;
        for (uint256 i; i < handler.HOT_KEYS(); ++i) {
            address key = handler.hotKeyAt(i);
            address holder = registry.operatorOfHotKey(key);
            if (holder == address(0)) continue;
            require(registry.operator(holder).hotKey == key, "its holder names it");
            ++held;
        }
        require(held == handler.registered(), "every operator has one of its own");
        require(registry.operatorOfHotKey(address(0)) == address(0), "never the zero address");
    }

    /// @notice The list has every operator once, and controllers never change.
    function invariant_listsEveryOperatorOnce() public view {
        OperatorRegistry registry = handler.registry();
        uint256 count = registry.operatorCount();
        require(count == handler.registered(), "count");
        for (uint256 i; i < count; ++i) {
            address operator = registry.operatorAt(i);
            require(registry.operator(operator).controller == handler.controllerOf(operator), "controller");
            for (uint256 j; j < i; ++j) require(registry.operatorAt(j) != operator, "once");
        }
    }

    /// @notice Active is: registered, not leaving, and enough stake by the controller, whatever anyone else staked.
    function invariant_onlyTheControllersStakeCounts() public view {
        OperatorRegistry registry = handler.registry();
        for (uint256 i; i < handler.OPERATORS(); ++i) {
            address operator = handler.operatorAt(i);
            address controller = handler.controllerOf(operator);
            bool active = controller != address(0) &&
                !handler.exiting(operator) &&
                handler.staked(operator, controller) >= handler.MINIMUM();
            require(registry.isActive(operator) == active, "active as modelled");
        }
    }
}
