// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/**
 * @title The token that operators stake.
 * @notice A plain ERC-20 with ERC-2612 permits and 18 decimals. The whole supply exists from the start and belongs to
 * the deployer; nobody can mint, burn, pause or freeze.
 */
contract HexToken is ERC20, ERC20Permit {
    /// @notice All there will ever be, in base units: one billion tokens.
    uint256 public constant SUPPLY = 1_000_000_000 ether;

    constructor() ERC20("Hexachord", "HXD") ERC20Permit("Hexachord") {
        _mint(msg.sender, SUPPLY);
    }
}
