// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

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

/// @dev While it moves, calls back into a contract, as tokens with hooks let their holders do.
contract HookToken is OpenToken {
    address public target;
    bytes public callback;

    function arm(address target_, bytes calldata callback_) external {
        target = target_;
        callback = callback_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (callback.length == 0) return;
        (bool ok, bytes memory reason) = target.call(callback);
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

/// @dev Refuses to come to an account, as dollars of real chains do.
contract BlacklistToken is OpenToken {
    mapping(address account => bool) private _refused;

    error Refused(address account);

    function refuse(address account) external {
        _refused[account] = true;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (_refused[to]) revert Refused(to);
        super._update(from, to, amount);
    }
}
