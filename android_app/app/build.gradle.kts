plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.compose)
}

android {
    namespace = "samesight.app"
    compileSdk = libs.versions.sdk.compile.get().toInt()
    defaultConfig {
        applicationId = "samesight.app"
        minSdk = libs.versions.sdk.min.get().toInt()
        targetSdk = libs.versions.sdk.compile.get().toInt()
        versionCode = 1
        versionName = "0.1.0"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
        manifestPlaceholders["litert"] = libs.versions.litert.get()
        manifestPlaceholders["executorch"] = libs.versions.executorch.get()
        ndk {
            // Phones, and the emulator of a PC.
            abiFilters += listOf("arm64-v8a", "x86_64")
        }
    }
    buildFeatures {
        compose = true
    }
    buildTypes {
        release {
            isMinifyEnabled = true
            isShrinkResources = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"), "proguard-rules.pro")
        }
    }
    packaging {
        // LiteRT looks for an NPU's libraries as files: with this the manifest says extractNativeLibs, and the system
        // unpacks them when the app is installed.
        jniLibs.useLegacyPackaging = true
        // Both runtimes bring C++'s standard library.
        jniLibs.pickFirsts += "**/libc++_shared.so"
    }
    androidResources {
        // Artifacts are copied out once; packed bytes of weights gain little.
        noCompress += listOf("tflite", "pte")
    }
    sourceSets {
        // Run by Maven (pom.xml), on Robolectric's framework.
        getByName("test").kotlin.setSrcDirs(emptyList<String>())
    }
}

// The same pixels in C, faster. Where the SDK has no NDK (SDK Manager, "NDK"), the app computes in Kotlin.
if (androidComponents.sdkComponents.sdkDirectory.get().dir("ndk").asFile.isDirectory) {
    android.externalNativeBuild.cmake.path = file("../contract/src/main/cpp/CMakeLists.txt")
}

kotlin {
    jvmToolchain(17)
    compilerOptions {
        // Maven compiles with another Compose: what a newer one only deprecates must not stop a first build.
        allWarningsAsErrors = providers.gradleProperty("strict").isPresent
    }
}

dependencies {
    implementation(project(":ui"))
    implementation(libs.activity.compose)
    implementation(libs.executorch)
    implementation(libs.litert)
    androidTestImplementation(libs.android.test.runner)
    androidTestImplementation(libs.junit.android)
}
