//! Instruction sets, and which of them this CPU has.

/// An instruction set that the kernels are compiled for, from the least to the most capable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Plain Rust.
    Portable,
    /// 64-bit Arm's NEON.
    Neon,
    /// AVX2 and FMA.
    Avx2,
    /// AVX2, FMA and AVX-VNNI.
    Avx2Vnni,
    /// AVX-512 (F, BW, DQ, VL) and VNNI.
    Avx512,
    /// AVX-512, VNNI and BF16.
    Avx512Bf16,
}

impl Level {
    /// All levels, the least capable first.
    pub const ALL: [Self; 6] =
        [Self::Portable, Self::Neon, Self::Avx2, Self::Avx2Vnni, Self::Avx512, Self::Avx512Bf16];

    /// Whether this CPU has it.
    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        let avx2 = || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = || {
            is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni")
        };
        match self {
            Self::Portable => true,
            Self::Neon => false,
            Self::Avx2 => avx2(),
            Self::Avx2Vnni => avx2() && is_x86_feature_detected!("avxvnni"),
            Self::Avx512 => avx512(),
            Self::Avx512Bf16 => avx512() && is_x86_feature_detected!("avx512bf16"),
        }
    }

    /// Whether this CPU has it.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Avx2 | Self::Avx2Vnni | Self::Avx512 | Self::Avx512Bf16 => false,
        }
    }

    /// The most capable level of this CPU.
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|level| level.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether products of bfloat16 are instructions here rather than emulated.
    pub fn multiplies_bf16(self) -> bool {
        self == Self::Avx512Bf16
    }
}
