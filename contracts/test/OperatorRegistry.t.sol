// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OperatorRegistry} from "../src/OperatorRegistry.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {IOperatorRegistry} from "../src/interfaces/IOperatorRegistry.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {OpenToken} from "./support/Tokens.sol";
import {clamp, vm} from "./support/Vm.sol";

contract OperatorRegistryTest {
    uint256 private constant MINIMUM = 100 ether;

    OpenToken private token;
    StakeVault private vault;
    OperatorRegistry private registry;

    function setUp() public {
        token = new OpenToken();
        vault = new StakeVault(token, 14 days);
        registry = new OperatorRegistry(vault, MINIMUM);
    }

    function testFuzz_keepsWhatAnOperatorSaysOfItself(
        address operator,
        address controller,
        string memory endpoint,
        bytes memory peerId,
        address hotKey,
        uint64 capacityBytes
    ) public {
        vm.assume(operator != address(0) && hotKey != address(0));
        endpoint = string(_cut(bytes(endpoint), 1, 255));
        peerId = _cut(peerId, 0, 64);
        address expectedController = controller == address(0) ? operator : controller;

        vm.expectEmit(address(registry));
        emit IOperatorRegistry.OperatorRegistered(
            operator,
            expectedController,
            endpoint,
            peerId,
            hotKey,
            capacityBytes
        );
        vm.prank(operator);
        registry.register(controller, endpoint, peerId, hotKey, capacityBytes);

        IOperatorRegistry.Operator memory entry = registry.operator(operator);
        require(entry.controller == expectedController, "controller");
        require(keccak256(bytes(entry.endpoint)) == keccak256(bytes(endpoint)), "endpoint");
        require(keccak256(entry.peerId) == keccak256(peerId), "peer id");
        require(entry.hotKey == hotKey && registry.operatorOfHotKey(hotKey) == operator, "hot key");
        require(entry.capacityBytes == capacityBytes && !entry.exiting, "capacity");
        require(registry.operatorCount() == 1 && registry.operatorAt(0) == operator, "listed");
    }

    function testFuzz_onlyTheControllersStakeMakesActive(
        address operator,
        address controller,
        address stranger,
        uint256 stake
    ) public {
        vm.assume(operator != address(0) && controller != address(0) && stranger != address(0));
        vm.assume(stranger != controller);
        stake = clamp(stake, 1, type(uint128).max);
        vm.prank(operator);
        registry.register(controller, "https://node.example", "", address(1), 0);

        _stake(operator, stranger, MINIMUM);
        require(!registry.isActive(operator), "a stranger's stake does not count");
        if (controller != operator) {
            _stake(controller, controller, MINIMUM);
            require(!registry.isActive(operator), "nor does the controller's for another");
        }
        _stake(operator, controller, stake);
        require(registry.isActive(operator) == (stake >= MINIMUM), "the controller's does");
    }

    function testFuzz_activeEndsWithStakeAndWithExit(uint256 unbonded) public {
        unbonded = clamp(unbonded, 1, MINIMUM);
        registry.register(address(0), "https://node.example", "", address(1), 0);
        _stake(address(this), address(this), MINIMUM);
        require(registry.isActive(address(this)), "active");

        registry.requestExit();
        require(!registry.isActive(address(this)), "not while leaving");
        registry.cancelExit();
        require(registry.isActive(address(this)), "active again");

        vault.unbond(address(this), unbonded);
        require(!registry.isActive(address(this)), "not below the minimum");
    }

    function testFuzz_aHotKeyIsOneOperatorsAtATime(address first, address second, address key, address otherKey)
        public
    {
        vm.assume(first != address(0) && first != second);
        vm.assume(key != otherKey && key != address(0) && otherKey != address(0));
        vm.prank(first);
        registry.register(address(this), "https://first.example", "", key, 0);

        vm.expectRevert(abi.encodeWithSelector(IOperatorRegistry.OperatorHotKeyTaken.selector, key, first));
        vm.prank(second);
        registry.register(address(this), "https://second.example", "", key, 0);

        vm.prank(first);
        registry.update("https://first.example", "", otherKey, 0);
        require(registry.operatorOfHotKey(key) == address(0), "given up");
        vm.prank(second);
        registry.register(address(this), "https://second.example", "", key, 0);
        require(registry.operatorOfHotKey(key) == second, "free for another");
    }

    function testFuzz_refusesWhatIsTooLong(uint16 endpointBytes, uint16 peerIdBytes) public {
        uint256 endpoint = clamp(endpointBytes, 0, 600);
        uint256 peerId = clamp(peerIdBytes, 0, 200);
        if (endpoint == 0) {
            vm.expectRevert(abi.encodeWithSelector(IOperatorRegistry.OperatorEndpointEmpty.selector));
        } else if (endpoint > 255) {
            vm.expectRevert(
                abi.encodeWithSelector(IOperatorRegistry.OperatorEndpointTooLong.selector, endpoint, 255)
            );
        } else if (peerId > 64) {
            vm.expectRevert(abi.encodeWithSelector(IOperatorRegistry.OperatorPeerIdTooLong.selector, peerId, 64));
        }
        registry.register(address(0), string(new bytes(endpoint)), new bytes(peerId), address(1), 0);
    }

    function testFuzz_needsAVault(address nothing) public {
        vm.assume(nothing.code.length == 0);
        vm.expectRevert(abi.encodeWithSelector(IOperatorRegistry.OperatorVaultMissing.selector, nothing));
        new OperatorRegistry(IStakeVault(nothing), MINIMUM);
    }

    function _stake(address operator, address staker, uint256 amount) private {
        token.mint(staker, amount);
        vm.prank(staker);
        token.approve(address(vault), amount);
        vm.prank(staker);
        vault.stake(operator, amount);
    }

    /// @dev The fuzzed bytes, cut or repeated to a length of least to most.
    function _cut(bytes memory data, uint256 least, uint256 most) private pure returns (bytes memory cut) {
        cut = new bytes(clamp(data.length, least, most));
        for (uint256 i; i < cut.length; ++i) cut[i] = data.length == 0 ? bytes1("x") : data[i % data.length];
    }
}
