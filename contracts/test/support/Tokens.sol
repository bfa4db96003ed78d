// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {StakeVault} from "../../src/StakeVault.sol";

/// @dev A token that anyone can mint.
contract OpenToken is ERC20 {
    constructor() ERC20("Open", "OPEN") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @dev Burns 1 % of each transfer.
contract FeeToken is OpenToken {
    function _update(address from, address to, uint256 amount) internal override {
        if (from == address(0) || to == address(0)) return super._update(from, to, amount);
        uint256 fee = amount / 100;
        super._update(from, address(0), fee);
        super._update(from, to, amount - fee);
    }
}

/// @dev While it moves, calls back into the vault, as tokens with hooks let their holders do.
contract HookToken is OpenToken {
    StakeVault public vault;
    bytes public callback;

    function arm(StakeVault vault_, bytes calldata callback_) external {
        vault = vault_;
        callback = callback_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (callback.length == 0) return;
        (bool ok, bytes memory reason) = address(vault).call(callback);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }
}

/// @dev Says no by returning false instead of reverting.
contract FalseToken is OpenToken {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}
